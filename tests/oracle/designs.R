# Makes designs.json (and the replicate weights it needs) with R survey:  Rscript designs.R DATA_DIR designs.json
# Odd strata, lonely PSUs, stages with population counts, unequal probabilities, every kind of replicates, calibrated
# designs and then domains, two phases: each with many statistics.
suppressMessages(library(survey))
arguments <- commandArgs(TRUE)
folder <- arguments[1]
rd <- function(f) { p <- file.path(folder, f); if (!file.exists(p)) p <- paste0(p, ".gz"); read.csv(p, stringsAsFactors = TRUE) }
num <- function(v) ifelse(is.finite(v), format(as.numeric(v), digits = 17, trim = TRUE), ifelse(is.infinite(v), ifelse(v > 0, '"Inf"', '"-Inf"'), "null"))
many <- function(x) { attr(x, "many") <- TRUE; x }
js <- function(x) {
  one <- is.null(attr(x, "many")) && length(x) == 1
  wrap <- function(parts) if (one) parts else paste0("[", paste(parts, collapse = ","), "]")
  if (is.null(x)) "null"
  else if (is.list(x) && !is.null(names(x))) paste0("{", paste(mapply(function(n, v) paste0('"', n, '":', js(v)), names(x), x), collapse = ","), "}")
  else if (is.list(x)) paste0("[", paste(vapply(x, js, ""), collapse = ","), "]")
  else if (is.matrix(x)) paste0("[", paste(apply(x, 1, function(r) js(many(r))), collapse = ","), "]")
  else if (is.character(x)) wrap(paste0('"', x, '"'))
  else if (is.logical(x)) wrap(tolower(as.character(x)))
  else wrap(num(x))
}
cases <- list()
add <- function(design, call, result, rtol = 1e-9, atol = 1e-9) {
  # Not asked: what R calls NA or Inf (a missing value without na.rm; a fit that ran away in a replicate).
  if (!all(is.finite(unlist(result[names(result) %in% c("estimate", "deff", "se", "ci_low", "ci_high")])))) return()
  id <- sprintf("D-%s-%s-%03d", design$name, call$fn, length(cases) + 1)
  spec <- design$spec
  cases[[length(cases) + 1]] <<- list(id = id, tier = 1, source = "R survey 4.1-1", design = spec, call = call, rtol = rtol, atol = atol, result = result)
}
attempt <- function(work) tryCatch(suppressWarnings(work), error = function(e) { message("  R: ", conditionMessage(e), " in ", substr(paste(deparse(substitute(work)), collapse = ""), 1, 60)); NULL })
f1 <- function(names) as.formula(paste("~", paste(names, collapse = " + ")))

# --- what is asked -------------------------------------------------------------------------------------------------
described <- function(m, df, names = NULL, vcov = TRUE) {
  z <- confint(m); t <- confint(m, df = df)
  r <- list(estimate = many(as.numeric(coef(m))), se = many(as.numeric(unlist(SE(m)))), df = df,
            ci_z_low = many(z[, 1]), ci_z_high = many(z[, 2]), ci_t_low = many(t[, 1]), ci_t_high = many(t[, 2]))
  if (!is.null(names)) r$names <- many(names)
  V <- if (vcov) attempt(unname(as.matrix(vcov(m)))); if (!is.null(V)) r$vcov <- V
  r
}
moments <- function(D, fn, vars, deff = NULL, na = FALSE) {
  work <- if (fn == "mean") svymean else svytotal
  m <- attempt(work(f1(vars), D$d, deff = if (is.null(deff)) FALSE else if (deff == "replace") "replace" else TRUE, na.rm = na))
  if (is.null(m)) return()
  r <- described(m, degf(D$d), names(coef(m)))
  if (!is.null(deff)) r$deff <- many(as.numeric(deff(m)))
  call <- list(fn = fn, vars = many(vars), na_rm = na); if (!is.null(deff)) call$deff <- deff
  add(D, call, r)
}
ratio <- function(D, num, den, na = FALSE) {
  m <- attempt(svyratio(f1(num), f1(den), D$d, na.rm = na)); if (is.null(m)) return()
  add(D, list(fn = "ratio", num = many(num), den = many(den), na_rm = na), described(m, degf(D$d), vcov = FALSE))
}
groups_of <- function(b, by) lapply(seq_len(nrow(b)), function(i) { g <- lapply(by, function(n) { v <- b[i, n]; if (is.factor(v)) as.character(v) else v }); names(g) <- by; g })
by <- function(D, inner, vars, by, na = FALSE, covmat = FALSE) {
  b <- attempt(svyby(f1(vars), f1(by), D$d, if (inner == "mean") svymean else svytotal, na.rm = na, covmat = covmat)); if (is.null(b)) return()
  r <- described(b, degf(D$d), vcov = covmat)
  r$groups <- groups_of(b, by)
  add(D, list(fn = "by", inner = inner, vars = many(vars), by = many(by), na_rm = na, covmat = covmat), r)
}
by_ratio <- function(D, num, den, by) {
  b <- attempt(svyby(f1(num), f1(by), denominator = f1(den), D$d, svyratio)); if (is.null(b)) return()
  add(D, list(fn = "by_ratio", num = many(num), den = many(den), by = many(by)),
      list(groups = groups_of(b, by), estimate = many(as.numeric(coef(b))), se = many(as.numeric(unlist(SE(b)))), df = degf(D$d)))
}
share <- function(D, var, method, level = 0.95) {
  m <- attempt(svyciprop(f1(var), D$d, method = method, level = level)); if (is.null(m)) return()
  if (as.numeric(m) < 1e-9 || as.numeric(m) > 1 - 1e-9) return()  # R's fits run away; ours is the exact interval
  ci <- as.numeric(attr(m, "ci"))
  add(D, list(fn = "ciprop", vars = many(var), method = method, level = level),
      list(estimate = as.numeric(m), ci_low = ci[1], ci_high = ci[2], df = degf(D$d)), rtol = 1e-7)
}
quantile <- function(D, var, p, type = "mean", rule = "math", level = 0.95, na = FALSE) {
  m <- attempt(svyquantile(f1(var), D$d, p, interval.type = type, qrule = rule, alpha = 1 - level, na.rm = na)); if (is.null(m)) return()
  q <- m[[1]]
  add(D, list(fn = if (inherits(D$d, "svyrep.design")) "quantile_rep" else "quantile", vars = many(var), quantiles = many(p), interval_type = type, qrule = rule, level = level, na_rm = na),
      list(quantiles = many(p), estimate = many(q[, 1]), ci_low = many(q[, 2]), ci_high = many(q[, 3]), se = many(q[, 4])))
}
contrast <- function(D, inner, vars, expression) {
  m <- attempt((if (inner == "mean") svymean else svytotal)(f1(vars), D$d)); if (is.null(m)) return()
  k <- attempt(svycontrast(m, parse(text = expression)[[1]])); if (is.null(k)) return()
  add(D, list(fn = "contrast", inner = inner, vars = many(vars), expr = expression), list(estimate = many(as.numeric(coef(k))), se = many(as.numeric(SE(k)))))
}
by_contrast <- function(D, vars, by, linear) {
  b <- attempt(svyby(f1(vars), f1(by), D$d, svymean, covmat = TRUE)); if (is.null(b)) return()
  k <- attempt(svycontrast(b, unlist(linear))); if (is.null(k)) return()
  add(D, list(fn = "by_contrast", inner = "mean", vars = many(vars), by = many(by), linear = linear), list(estimate = many(as.numeric(coef(k))), se = many(as.numeric(SE(k)))))
}
spread <- function(D, var) { m <- attempt(svyvar(f1(var), D$d)); if (!is.null(m)) add(D, list(fn = "var", vars = many(var)), list(estimate = many(as.numeric(coef(m))[1]), se = many(as.numeric(SE(m))[1]))) }
weights_of <- function(D) { w <- weights(D$d, "sampling"); w <- w[w > 0]; add(D, list(fn = "weights"), list(sum = sum(w), sum_sq = sum(w^2), min = min(w), max = max(w)), rtol = 1e-7) }

by_share <- function(D, var, by, method, level = 0.95) {
  b <- attempt(svyby(f1(var), f1(by), D$d, svyciprop, vartype = "ci", method = method, level = level)); if (is.null(b)) return()
  add(D, list(fn = "by_ciprop", vars = many(var), by = many(by), method = method, level = level),
      list(groups = groups_of(b, by), estimate = many(b[[var]]), ci_low = many(b$ci_l), ci_high = many(b$ci_u), df = degf(D$d)), rtol = 1e-7)
}
by_quantile <- function(D, var, by, p, type = "mean", rule = "math") {
  b <- attempt(svyby(f1(var), f1(by), D$d, svyquantile, quantiles = p, interval.type = type, qrule = rule, ci = TRUE, vartype = "ci")); if (is.null(b)) return()
  add(D, list(fn = "by_quantile", vars = many(var), by = many(by), quantiles = many(p), interval_type = type, qrule = rule),
      list(groups = groups_of(b, by), estimate = many(b[[var]]), ci_low = many(b$ci_l), ci_high = many(b$ci_u)))
}
counts <- function(D, vars) {
  t <- attempt(svytable(f1(vars), D$d)); if (is.null(t)) return()
  cells <- as.data.frame(t)
  add(D, list(fn = "table", formula = paste("~", paste(vars, collapse = " + "))), list(cells = groups_of(cells, vars), estimate = many(cells$Freq)))
}
distribution <- function(D, var, at) add(D, list(fn = "cdf", vars = many(var), at = many(at)), list(at = many(at), estimate = many(svycdf(f1(var), D$d)[[1]](at))))
agreement <- function(D, a, b) { k <- attempt(svykappa(f1(c(a, b)), D$d)); if (!is.null(k)) add(D, list(fn = "kappa", formula = paste("~", a, "+", b)), list(estimate = many(as.numeric(coef(k))), se = many(as.numeric(SE(k))))) }
alpha <- function(D, vars) { k <- attempt(svycralpha(f1(vars), D$d)); if (!is.null(k)) add(D, list(fn = "cronbach", vars = many(vars)), list(estimate = many(as.numeric(k)))) }
freedom <- function(D) add(D, list(fn = "degf"), list(df = degf(D$d)))

# --- designs ---------------------------------------------------------------------------------------------------------
policy <- function(name, within = FALSE) options(survey.lonely.psu = name, survey.adjust.domain.lonely = within)
cond <- function(var, op, value) list(var = var, op = op, value = value)
taylor <- function(name, data, file, ids = NULL, strata = NULL, fpc = NULL, weights = NULL, nest = FALSE, lonely = "fail", within = FALSE, pps = NULL, ultimate = FALSE) {
  policy(lonely, within); options(survey.ultimate.cluster = ultimate)
  form <- function(x) if (is.null(x)) NULL else f1(x)
  arguments <- list(ids = if (is.null(ids)) ~1 else f1(ids), strata = form(strata), fpc = form(fpc), weights = form(weights), nest = nest, data = data)
  if (!is.null(pps)) arguments$pps <- switch(pps, brewer = "brewer", overton = "overton", HR = HR())
  spec <- list(dataset = file, kind = "taylor", nest = nest, lonely_psu = lonely, adjust_domain_lonely = within, ultimate_cluster = ultimate)
  if (!is.null(ids)) spec$ids <- many(ids); if (!is.null(strata)) spec$strata <- many(strata)
  if (!is.null(fpc)) spec$fpc <- many(fpc); if (!is.null(weights)) spec$weights <- weights
  if (!is.null(pps)) spec$pps <- list(type = pps)
  list(name = name, spec = spec, d = do.call(svydesign, arguments))
}
step <- function(D, op, d) { D$spec$ops <- c(D$spec$ops, list(op)); D$d <- d; D }
narrowed <- function(D, ...) {
  conditions <- list(...)
  mask <- Reduce(`&`, lapply(conditions, function(k) { x <- D$d$variables[[k$var]]; switch(k$op, "==" = x == k$value, "!=" = x != k$value, ">" = x > k$value, "<=" = x <= k$value, "in" = x %in% k$value) }))
  d <- D$d; d$variables$chosen_ <- mask & !is.na(mask)
  step(D, list(op = "subset", filter = conditions), subset(d, chosen_))
}
freq <- function(D, var, factor = function(k) 1 + 0.05 * (k %% 3)) { t <- svytotal(f1(var), D$d); d <- data.frame(names(coef(t)), as.numeric(coef(t)) * factor(seq_along(coef(t)))); names(d) <- c(var, "Freq"); d[[var]] <- sub(paste0("^", var), "", d[[var]]); d }
as_rows <- function(d) lapply(seq_len(nrow(d)), function(i) { r <- as.list(d[i, ]); lapply(r, function(v) if (is.factor(v)) as.character(v) else v) })
poststratified <- function(D, var) { f <- freq(D, var); f[[var]] <- factor(f[[var]]); step(D, list(op = "poststratify", vars = many(var), totals = as_rows(f)), postStratify(D$d, f1(var), f)) }
raked <- function(D, vars) {
  tables <- lapply(vars, function(v) { f <- freq(D, v); f$Freq <- f$Freq / sum(f$Freq) * sum(weights(D$d, "sampling")) * 1.03; f[[v]] <- factor(f[[v]]); f })
  step(D, list(op = "rake", margins = mapply(function(v, f) list(vars = many(v), totals = as_rows(f)), vars, tables, SIMPLIFY = FALSE, USE.NAMES = FALSE), maxit = 200, epsilon = 1e-13),
       rake(D$d, lapply(vars, f1), tables, control = list(maxit = 300, epsilon = 1e-9)))
}
calibrated <- function(D, formula, calfun, bounds = NULL, move = 1.05, trim = NULL) {
  x <- model.matrix(as.formula(formula), D$d$variables); totals <- colSums(x * weights(D$d, "sampling"))
  totals <- totals * move^(seq_along(totals) %% 2) ; names(totals) <- colnames(x)
  op <- list(op = "calibrate", formula = formula, totals = as.list(totals), calfun = calfun)
  if (!is.null(bounds)) op$bounds <- many(bounds); if (!is.null(trim)) op$trim <- many(trim)
  arguments <- list(D$d, as.formula(formula), totals, calfun = if (calfun == "sinh") cal.sinh else calfun, epsilon = 1e-12, maxit = 200)
  if (!is.null(bounds)) arguments$bounds <- bounds; if (!is.null(trim)) arguments$trim <- trim
  if (inherits(D$d, "svyrep.design")) arguments$compress <- FALSE
  d <- attempt(do.call(calibrate, arguments)); if (is.null(d)) NULL else step(D, op, d)
}
replicated <- function(D, name, type, file, ..., mse = FALSE, rho = NULL) {
  set.seed(17)
  arguments <- list(D$d, type = type, mse = mse, ...); if (!is.null(rho)) arguments$fay.rho <- rho
  d <- attempt(do.call(as.svrepdesign, arguments)); if (is.null(d)) return(NULL)
  from_r(list(name = name, spec = list(dataset = D$spec$dataset, kind = "replicate", weights = D$spec$weights)), d, file, mse, rho)
}
from_r <- function(D, d, file, mse, rho, type = if (d$type == "subbootstrap") "bootstrap" else d$type) {
  w <- weights(d, "replication"); colnames(w) <- paste0("r", seq_len(ncol(w)))
  write.csv(signif(w, 15), gzfile(file.path(folder, paste0(file, ".gz"))), row.names = FALSE, quote = FALSE)
  w <- as.matrix(read.csv(file.path(folder, paste0(file, ".gz"))))
  spec <- list(file = file, type = type, combined = FALSE, mse = mse)
  arguments <- list(data = d$variables, repweights = w, weights = f1(D$spec$weights), type = type, combined.weights = FALSE, mse = mse)
  if (!is.null(rho)) { arguments$rho <- rho; spec$rho <- rho }
  else if (!type %in% c("BRR", "Fay", "ACS", "successive-difference")) {
    arguments$scale <- d$scale; arguments$rscales <- d$rscales
    spec$scale <- d$scale; spec$rscales <- many(rep_len(d$rscales, ncol(w)))
  }
  D$spec$repweights <- spec
  D$d <- do.call(svrepdesign, arguments)
  D
}
phases <- function(name, data, file, method, strata2 = NULL) {
  d <- twophase(id = list(~id, ~id), strata = if (is.null(strata2)) NULL else list(NULL, f1(strata2)), subset = ~I(ph2 == 1), data = data, method = method)
  spec <- list(dataset = file, kind = "twophase", ids = many(c("id", "id")), subset_var = "I(ph2==1)", method = method)
  if (!is.null(strata2)) spec$strata2 <- strata2
  list(name = name, spec = spec, d = d)
}

# --- the questions to a household survey (synth_a, lonely_a), to the schools (api*) -----------------------------------------
households <- function(D, totals = TRUE, domains = TRUE, quantiles = TRUE, deff = TRUE) {
  if (is.null(D)) return()
  if (totals) { moments(D, "total", c("income", "visits")); moments(D, "total", "educ") }
  moments(D, "mean", c("income", "x")); moments(D, "mean", c("educ", "age")); moments(D, "mean", c("x_na", "income_na"), na = TRUE)
  if (deff) { moments(D, "mean", c("income", "sex"), deff = "true"); if (totals) moments(D, "total", "visits", deff = "true"); moments(D, "mean", "x", deff = "replace") }
  ratio(D, c("income", "visits"), "age"); ratio(D, "x_na", "age", na = TRUE)
  if (domains) {
    by(D, "mean", "income", c("region", "sex")); by(D, "mean", c("x", "visits"), "educ", covmat = D$name != "lonely-average"); by(D, "mean", "x_na", "region", na = TRUE)
    by(D, "mean", "x", "dom_few"); by(D, "mean", "income", "commune"); by_ratio(D, "visits", "age", "agegrp")
    if (totals) by(D, "total", "visits", c("educ", "sex"))
    # Under "average" R inflates a domain's variance by its own strata, but the covariances by those of the sample.
    if (D$name != "lonely-average") by_contrast(D, "income", "region", list(R1 = 1, R2 = -0.5, R3 = -0.5))
  }
  for (m in c("logit", "beta", "mean", "asin")) share(D, "x", m); share(D, "rare", "beta", 0.99); 
  if (!inherits(D$d, "svyrep.design")) { share(D, "x", "xlogit", 0.9); share(D, "rare", "logit", 0.9) }
  contrast(D, "mean", c("income", "visits", "age"), "log(income) - visits/age"); if (totals) contrast(D, "total", c("income", "visits"), "sqrt(income/visits)")
  spread(D, "income")
  if (quantiles) {
    quantile(D, "income", c(0.15, 0.25, 0.5, 0.9)); quantile(D, "age", c(0.2, 0.5, 0.8), "xlogit"); quantile(D, "visits", c(0.3, 0.5), "beta", "school", 0.9)
    quantile(D, "income_na", 0.5, "asin", na = TRUE); for (q in c("hf4", "hf6", "hf7", "hf9")) quantile(D, "income", c(0.1, 0.6), "mean", q)
  }
  weights_of(D)
}
schools <- function(D, totals = TRUE) {
  if (totals) { moments(D, "total", c("enroll", "api_stu")); moments(D, "total", "stype", deff = "true"); by(D, "total", "enroll", "stype") }
  moments(D, "mean", c("api00", "api99", "stype")); moments(D, "mean", "ell", deff = "replace"); ratio(D, "api_stu", "enroll")
  by(D, "mean", c("api00", "ell"), c("sch_wide", "awards")); by(D, "mean", "meals", "stype", covmat = TRUE); by_ratio(D, "api_stu", "enroll", "comp_imp")
  for (m in c("logit", "beta", "asin")) share(D, "comp_imp_01", m)
  contrast(D, "mean", c("api00", "api99"), "100*(api00/api99 - 1)"); spread(D, "api00"); quantile(D, "api00", c(0.1, 0.5, 0.9), "xlogit"); weights_of(D)
}

sa <- rd("synth_a.csv"); lo <- rd("lonely_a.csv"); c1 <- rd("apiclus1.csv"); c2 <- rd("apiclus2.csv"); st <- rd("apistrat.csv"); nh <- rd("nhanes.csv"); el <- rd("election_pps.csv"); tp <- rd("synth_2phase.csv")
base <- function(...) taylor("base", sa, "synth_a.csv", ids = "psu", strata = "stratum", weights = "w", nest = TRUE, ...)
B <- base(); households(B)
G <- base(fpc = "Npsu"); G$name <- "fpc"; households(G)
households(narrowed(B, cond("sex", "==", "F"), cond("age", ">", 30)))
households(narrowed(G, cond("dom_few", "==", "few")), quantiles = FALSE)
two <- taylor("stages", sa, "synth_a.csv", ids = c("psu", "id"), strata = "stratum", fpc = c("Npsu", "Mssu"), nest = TRUE); households(two)
households(narrowed(two, cond("region", "!=", "R1")), quantiles = FALSE)
ult <- taylor("ultimate", sa, "synth_a.csv", ids = c("psu", "id"), strata = "stratum", fpc = c("Npsu", "Mssu"), nest = TRUE, ultimate = TRUE); households(ult, quantiles = FALSE)
options(survey.ultimate.cluster = FALSE)
unstrat <- taylor("unstratified", sa, "synth_a.csv", ids = "psu_uid", weights = "w"); households(unstrat, quantiles = FALSE)
srs <- taylor("elements", sa, "synth_a.csv", strata = "stratum", weights = "w"); households(srs, quantiles = FALSE)
for (p in c("certainty", "remove", "average", "adjust")) for (f in c(FALSE, TRUE)) {
  L <- taylor(paste0("lonely-", p), lo, "lonely_a.csv", ids = "psu", strata = "stratum", weights = "w", nest = TRUE, lonely = p, fpc = if (f) "Npsu")
  households(L, totals = p != "adjust", quantiles = p == "average" && !f)
  W <- narrowed(taylor(paste0("within-", p), sa, "synth_a.csv", ids = "psu", strata = "stratum", weights = "w", nest = TRUE, lonely = p, within = TRUE, fpc = if (f) "Npsu"), cond("dom_few", "==", "few"))
  households(W, totals = p != "adjust", domains = FALSE, quantiles = FALSE)
}
policy("fail")
schools(taylor("clusters", c1, "apiclus1.csv", ids = "dnum", weights = "pw", fpc = "fpc"))
schools(taylor("two-stage", c2, "apiclus2.csv", ids = c("dnum", "snum"), fpc = c("fpc1", "fpc2")))
schools(narrowed(taylor("two-stage", c2, "apiclus2.csv", ids = c("dnum", "snum"), fpc = c("fpc1", "fpc2")), cond("stype", "==", "E")))
schools(taylor("strata", st, "apistrat.csv", strata = "stype", weights = "pw", fpc = "fpc"))
for (p in c("brewer", "overton", "HR")) { E <- taylor(p, el, "election_pps.csv", fpc = "p", pps = p); moments(E, "total", c("Bush", "Kerry", "Nader")); moments(E, "mean", "Bush"); ratio(E, "Bush", "votes"); moments(narrowed(E, cond("Nader", ">", 500)), "total", "Kerry") }

# calibrated, then domains
schoolish <- taylor("cal", c1, "apiclus1.csv", ids = "dnum", weights = "pw", fpc = "fpc")
for (k in list(list("~ stype", "linear"), list("~ stype + api99", "linear"), list("~ stype", "raking"), list("~ stype + ell", "raking"), list("~ stype", "logit", c(0.5, 2)), list("~ stype + api99", "linear", c(0.7, 1.6)), list("~ stype + sch_wide", "linear"))) {
  C <- calibrated(schoolish, k[[1]], k[[2]], if (length(k) > 2) k[[3]]); if (is.null(C)) next
  schools(C); schools(narrowed(C, cond("stype", "!=", "H")), totals = TRUE)
}
for (D in list(B, G)) {
  P <- poststratified(D, "sex"); households(P, quantiles = FALSE, deff = FALSE)
  households(narrowed(P, cond("region", "==", "R2")), domains = FALSE, quantiles = FALSE, deff = FALSE)
  R <- raked(D, c("sex", "region", "agegrp")); households(R, quantiles = FALSE, deff = FALSE)
  C <- calibrated(D, "~ sex + age", "linear"); households(C, quantiles = FALSE, deff = FALSE)
  households(narrowed(C, cond("educ", "in", c("prim", "sec"))), domains = FALSE, quantiles = FALSE, deff = FALSE)
  C <- calibrated(D, "~ region * sex", "raking"); households(C, quantiles = TRUE, deff = FALSE)
  C <- calibrated(poststratified(D, "region"), "~ sex", "linear"); households(C, quantiles = FALSE, deff = FALSE)
}
trimmed <- step(B, list(op = "trim", lower = 40, upper = 130), trimWeights(B$d, 130, 40)); trimmed$name <- "trim"; households(trimmed, quantiles = FALSE, deff = FALSE)
C <- calibrated(two, "~ sex + age", "linear"); C$name <- "stages-cal"; households(C, quantiles = FALSE, deff = FALSE)

# replicates
reps <- list(
  replicated(B, "jkn", "JKn", "rep_synth_a_jkn_rows.csv"), replicated(G, "jkn-fpc-mse", "JKn", "rep_synth_a_jkn_fpc_rows.csv", mse = TRUE),
  replicated(B, "subbootstrap", "subbootstrap", "rep_synth_a_subbootstrap_rows.csv", replicates = 40),
  replicated(G, "bootstrap-mse", "bootstrap", "rep_synth_a_bootstrap_rows.csv", replicates = 40, mse = TRUE),
  replicated(taylor("nhanes", nh, "nhanes.csv", ids = "SDMVPSU", strata = "SDMVSTRA", weights = "WTMEC2YR", nest = TRUE), "nhanes-jkn", "JKn", "rep_nhanes_jkn_rows.csv"))
sdr <- local({ H <- survey:::hadamard(60); n <- nrow(sa); unit <- match(sa$psu_uid, unique(sa$psu_uid)); k <- ncol(H); signs <- ifelse(H > 0, 1, -1); 1 + 2^-1.5 * (signs[(unit - 1) %% (k - 1) + 2, ] - signs[unit %% (k - 1) + 2, ]) })
write.csv(signif(`colnames<-`(sdr, paste0("r", seq_len(ncol(sdr)))), 15), gzfile(file.path(folder, "rep_synth_a_sdr_rows.csv.gz")), row.names = FALSE, quote = FALSE)
sdr <- as.matrix(read.csv(file.path(folder, "rep_synth_a_sdr_rows.csv.gz")))
reps[[length(reps) + 1]] <- list(name = "sdr", spec = list(dataset = "synth_a.csv", kind = "replicate", weights = "w", repweights = list(file = "rep_synth_a_sdr_rows.csv", type = "successive-difference", combined = FALSE, mse = TRUE)),
  d = svrepdesign(data = sa, repweights = sdr, weights = ~w, type = "successive-difference", combined.weights = FALSE, mse = TRUE))
half <- local({ H <- survey:::hadamard(80); unit <- match(sa$psu_uid, unique(sa$psu_uid)); signs <- ifelse(H > 0, 1, -1)[(unit - 1) %/% 2 %% (nrow(H) - 1) + 2, ] * ifelse(unit %% 2 == 0, 1, -1); signs })
for (rho in c(0, 0.3)) {
  w <- 1 + (1 - rho) * half; file <- sprintf("rep_synth_a_%s_rows.csv", if (rho) "fay" else "brr")
  write.csv(signif(`colnames<-`(w, paste0("r", seq_len(ncol(w)))), 15), gzfile(file.path(folder, paste0(file, ".gz"))), row.names = FALSE, quote = FALSE)
  w <- as.matrix(read.csv(file.path(folder, paste0(file, ".gz"))))
  spec <- list(file = file, type = if (rho) "Fay" else "BRR", combined = FALSE, mse = rho > 0); if (rho) spec$rho <- rho
  d <- if (rho) svrepdesign(data = sa, repweights = w, weights = ~w, type = "Fay", rho = rho, combined.weights = FALSE, mse = TRUE) else svrepdesign(data = sa, repweights = w, weights = ~w, type = "BRR", combined.weights = FALSE)
  reps[[length(reps) + 1]] <- list(name = if (rho) "fay" else "brr", spec = list(dataset = "synth_a.csv", kind = "replicate", weights = "w", repweights = spec), d = d)
}
for (D in Filter(Negate(is.null), reps)) {
  if (D$spec$dataset == "nhanes.csv") { moments(D, "mean", c("HI_CHOL", "race"), na = TRUE); by(D, "mean", "HI_CHOL", c("race", "sex"), na = TRUE); next }
  households(D, deff = TRUE)
  households(narrowed(D, cond("sex", "==", "M"), cond("age", "<=", 60)), domains = FALSE, quantiles = FALSE, deff = FALSE)
  households(poststratified(D, "sex"), domains = FALSE, quantiles = FALSE, deff = FALSE)
  C <- calibrated(D, "~ sex + region", "linear"); if (!is.null(C)) households(C, domains = FALSE, quantiles = FALSE, deff = FALSE)
  C <- calibrated(D, "~ sex + region", "raking"); if (!is.null(C)) households(C, domains = FALSE, quantiles = FALSE, deff = FALSE)
}
for (m in c("full", "approx")) for (s in list("x", "sex", "educ")) {
  D <- phases(paste0("phases-", m), tp, "synth_2phase.csv", m, s)
  moments(D, "mean", c("visits", "age")); moments(D, "total", "income"); moments(D, "mean", "educ"); ratio(D, "visits", "age"); by(D, "mean", "visits", "sex"); moments(step(D, list(op = "subset", filter = list(cond("age", ">", 40))), subset(D$d, age > 40)), "mean", "income")
}
# --- further questions and steps ---------------------------------------------------------------------------------------------
further <- function(D) {
  freedom(D); counts(D, c("educ", "sex")); counts(D, c("region", "agegrp")); distribution(D, "income", c(5000, 12000, 30000)); agreement(D, "x", "resp")
  alpha(D, c("age", "visits", "x")); by_share(D, "x", "region", "logit"); by_share(D, "x", c("sex", "educ"), "beta", 0.9); by_share(D, "x", "agegrp", "asin", 0.99)
  by_quantile(D, "income", "sex", 0.5); by_quantile(D, "income", "region", 0.75, "xlogit"); by_quantile(D, "age", "educ", 0.25, "beta")
}
for (D in list(B, G, two, narrowed(B, cond("age", ">", 25)), poststratified(B, "sex"), narrowed(raked(G, c("sex", "educ")), cond("region", "!=", "R3")))) further(D)
schools2 <- taylor("two-stage", c2, "apiclus2.csv", ids = c("dnum", "snum"), fpc = c("fpc1", "fpc2")); strata <- taylor("strata", st, "apistrat.csv", strata = "stype", weights = "pw", fpc = "fpc")
for (D in list(schoolish, schools2, strata)) {
  freedom(D); counts(D, c("stype", "awards")); agreement(D, "comp_imp", "sch_wide"); alpha(D, c("meals", "ell", "emer")); by_share(D, "awards_01", "stype", "logit", 0.99); by_share(D, "sch_wide_01", "awards", "beta")
  by_quantile(D, "api00", "awards", 0.5); by_quantile(D, "meals", "stype", 0.9, "xlogit", "school")
  for (q in c("math", "school", "hf3", "hf4", "hf5", "hf6", "hf7", "hf8", "hf9")) for (t in c("mean", "beta", "xlogit", "asin")) quantile(D, "api99", c(0.2, 0.5, 0.85), t, q, 0.9)
  for (t in c("mean", "beta", "xlogit", "asin", "score")) quantile(D, "growth", c(0.25, 0.5), t, "math", 0.99)
}
wide <- function(D) { moments(D, "mean", c("api00", "meals")); moments(D, "total", "enroll"); ratio(D, "api_stu", "enroll"); by(D, "mean", "api00", "awards"); share(D, "comp_imp_01", "logit"); weights_of(D) }
one_factor <- local({
  x <- model.matrix(~ stype + api99, c1); totals <- colSums(x * c1$pw) * c(1.02, 0.97, 1.05, 1.01)
  step(schoolish, list(op = "calibrate", formula = "~ stype + api99", totals = as.list(totals), calfun = "linear", aggregate_stage = 1), calibrate(schoolish$d, ~ stype + api99, totals, aggregate.stage = 1))
}); wide(one_factor); wide(narrowed(one_factor, cond("stype", "==", "E")))
ratio_type <- step(schoolish, list(op = "calibrate", formula = "~ api99 - 1", totals = list(api99 = 3914069), calfun = "linear", variance = many(1)), calibrate(schoolish$d, ~ api99 - 1, c(api99 = 3914069), variance = 1)); wide(ratio_type); wide(narrowed(ratio_type, cond("stype", "!=", "M")))
for (k in list(list("~ stype", "sinh"), list("~ stype + meals", "sinh"), list("~ stype * awards", "raking"), list("~ stype + ell", "logit", c(0.4, 2.5)), list("~ stype", "linear", c(0.8, 1.3)), list("~ awards + ell", "raking", c(0.6, 1.8)))) for (D in list(schoolish, strata)) {
  C <- calibrated(D, k[[1]], k[[2]], if (length(k) > 2) k[[3]]); if (is.null(C)) next
  C$name <- paste0(D$name, "-", k[[2]]); wide(C); wide(narrowed(C, cond("awards", "==", "Yes")))
}
for (k in list(c(20, 160), c(45, 120))) for (strict in c(FALSE, k[2] == 160)) {
  W <- step(B, list(op = "trim", lower = if (strict) 0 else k[1], upper = k[2], strict = strict), trimWeights(B$d, upper = k[2], lower = if (strict) -Inf else k[1], strict = strict)); W$name <- "trimmed"
  moments(W, "mean", c("income", "x")); moments(W, "total", "visits"); by(W, "mean", "x", "region"); weights_of(W)
}
people <- function(D, by, over, population) step(D, list(op = "standardize", by = many(by), over = many(over), population = many(population)), svystandardize(D$d, f1(by), f1(over), population))
examined <- taylor("standard", nh, "nhanes.csv", ids = "SDMVPSU", strata = "SDMVSTRA", weights = "WTMEC2YR", nest = TRUE)
S <- people(examined, "agecat", "race", c(55901, 77670, 72816, 45364)); by(S, "mean", "HI_CHOL", "race", na = TRUE)
S <- people(B, "agegrp", "region", c(30, 30, 25, 15)); by(S, "mean", c("x", "visits"), "region")
S <- people(narrowed(B, cond("sex", "==", "F")), "educ", "region", c(20, 40, 30, 10)); by(S, "mean", "x", "region")
for (D in list(narrowed(B, cond("sex", "==", "F")), narrowed(G, cond("age", ">", 35)))) for (C in list(poststratified(D, "region"), calibrated(D, "~ age", "linear"), calibrated(D, "~ region", "raking"), raked(D, c("region", "educ")))) {
  moments(C, "mean", c("income", "x")); moments(C, "total", "visits"); by(C, "mean", "x", "educ"); weights_of(C)
}
cat(js(list(meta = list(source = "R survey 4.1-1"), cases = cases)), file = arguments[2])
message(length(cases), " cases")
