# One task of R survey in a process of its own: seconds, peak memory in kB, two figures.
#     Rscript with_survey.R TASK DATA.csv
suppressMessages(library(survey))
options(survey.lonely.psu = "adjust")
argument <- commandArgs(trailingOnly = TRUE)
task <- argument[1]
x <- read.csv(argument[2])
margins <- read.csv(sub(".csv", ".margins.csv", argument[2], fixed = TRUE))
margin <- function(name) setNames(margins[margins$margin == name, c("level", "Freq")], c(name, "Freq"))
design <- function() svydesign(id = ~psu, strata = ~stratum, weights = ~w, data = x)
totals <- lapply(c("sex", "region", "age"), margin)
raked <- function(d) rake(d, list(~sex, ~region, ~age), totals, control = list(maxit = 50, epsilon = 1e-6))
pair <- function(m) c(coef(m)[1], SE(m)[1])
replicated <- function() as.svrepdesign(design(), type = "subbootstrap", replicates = 500)
work <- list(
  share = function() pair(svymean(~account, design())),
  communes = function() { m <- svyby(~account, ~commune, design(), svymean); c(m$account[1], m$se[1]) },
  logit = function() attr(svyciprop(~account, design(), method = "logit"), "ci"),
  korn_graubard = function() attr(svyciprop(~account, design(), method = "beta"), "ci"),
  raking = function() { w <- weights(raked(design())); c(sum(w), sum(w^2)) },
  raking_share = function() pair(svymean(~account, raked(design()))),
  replicates = function() pair(svymean(~account, replicated())),
  replicates_raked = function() pair(svymean(~account, raked(replicated()))),
  logistic = function() {
    m <- svyglm(account ~ factor(sex) + factor(region), design(), family = quasibinomial())
    c(coef(m)[2], SE(m)[2])
  },
  release = function() {
    d <- design()
    indicators <- as.formula(paste("~", paste(grep("^i[0-9]", names(x), value = TRUE), collapse = "+")))
    found <- lapply(grep("^d[0-9]", names(x), value = TRUE), function(by)
      svyby(indicators, as.formula(paste("~", by)), d, svymean))
    c(found[[1]][1, "i0"], found[[1]][1, "se.i0"])
  }
)
took <- system.time(figures <- work[[task]]())[["elapsed"]]
peak <- sub("[^0-9]*([0-9]+).*", "\\1", grep("VmHWM", readLines("/proc/self/status"), value = TRUE))
cat(took, peak, format(as.numeric(figures), digits = 15), "\n")
