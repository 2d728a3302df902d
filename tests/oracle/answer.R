# R survey's answers to cases of the format in README.md:  Rscript answer.R DATA_DIR cases.R answers.json
# cases.R defines CASES, a list of list(design = , call = ); `random_cases.py` writes it. What R refuses is answered
# with {"error": true, "message": ...}. Needs r-cran-survey; calibration other than linear needs r-cran-mass.
suppressMessages(library(survey))
num <- function(v) ifelse(is.nan(v), "null", ifelse(is.na(v), "null", ifelse(is.finite(v), format(as.numeric(v), digits = 17, trim = TRUE), ifelse(v > 0, '"Inf"', '"-Inf"'))))
many <- function(x) { attr(x, "many") <- TRUE; x }
js <- function(x) {
  one <- is.null(attr(x, "many")) && length(x) == 1
  wrap <- function(parts) if (one) parts else paste0("[", paste(parts, collapse = ","), "]")
  if (is.null(x)) "null"
  else if (is.list(x) && !is.null(names(x))) paste0("{", paste(mapply(function(n, v) paste0('"', n, '":', js(v)), names(x), x), collapse = ","), "}")
  else if (is.list(x)) paste0("[", paste(vapply(x, js, ""), collapse = ","), "]")
  else if (is.matrix(x)) paste0("[", paste(apply(x, 1, function(r) js(many(r))), collapse = ","), "]")
  else if (is.character(x)) wrap(paste0('"', x, '"'))
  else if (is.logical(x)) wrap(ifelse(is.na(x), "null", tolower(as.character(x))))
  else wrap(num(x))
}
folder <- commandArgs(TRUE)[1]
rd <- function(f) { p <- file.path(folder, f); if (!file.exists(p)) p <- paste0(p, ".gz"); read.csv(p, stringsAsFactors = TRUE, check.names = FALSE) }
.cache <- list()
data_of <- function(f) { if (is.null(.cache[[f]])) .cache[[f]] <<- rd(f); .cache[[f]] }
f1 <- function(names) as.formula(paste("~", paste(names, collapse = " + ")))
form <- function(x) if (is.null(x)) NULL else f1(x)
build <- function(s) {
  x <- data_of(s$dataset)
  lp <- if (is.null(s$lonely_psu)) "fail" else s$lonely_psu
  options(survey.lonely.psu = lp, survey.adjust.domain.lonely = isTRUE(s$adjust_domain_lonely), survey.ultimate.cluster = isTRUE(s$ultimate_cluster))
  if (s$kind == "taylor") {
    a <- list(ids = if (is.null(s$ids)) ~1 else f1(s$ids), strata = form(s$strata), fpc = form(s$fpc), weights = form(s$weights), probs = form(s$probs), nest = isTRUE(s$nest), data = x)
    if (!is.null(s$pps)) {
      if (s$pps$type == "joint") { M <- as.matrix(rd(s$pps$joint)); dimnames(M) <- NULL; a$pps <- ppsmat(M); a$variance <- s$pps$variance }
      else a$pps <- switch(s$pps$type, brewer = "brewer", overton = "overton", HR = HR())
    }
    d <- do.call(svydesign, a)
  } else if (s$kind == "replicate") {
    r <- s$repweights; w <- rd(r$file)
    if (!is.null(r$key)) { k <- do.call(paste, c(w[r$key], sep = "|")); kk <- do.call(paste, c(x[r$key], sep = "|")); w <- w[match(kk, k), setdiff(names(w), r$key)] }
    a <- list(data = x, repweights = as.matrix(w), weights = form(s$weights), type = r$type, combined.weights = isTRUE(r$combined), mse = isTRUE(r$mse))
    if (!is.null(r$scale)) a$scale <- r$scale; if (!is.null(r$rscales)) a$rscales <- r$rscales; if (!is.null(r$rho)) a$rho <- r$rho
    d <- do.call(svrepdesign, a)
  } else d <- twophase(id = lapply(s$ids, f1), strata = list(NULL, form(s$strata2)), subset = as.formula(paste("~", s$subset_var)), data = x, method = s$method)
  for (o in s$ops) d <- step(d, o)
  d
}
vars_of <- function(d) if (inherits(d, "twophase2")) d$phase1$sample$variables else if (inherits(d, "twophase")) d$phase1$sample$variables else d$variables
lim <- function(b) vapply(b, function(v) if (is.null(v)) NA_real_ else as.numeric(v), 0)
step <- function(d, o) switch(o$op,
  subset = { lit <- function(v) paste(deparse(unlist(v), width.cutoff = 500), collapse = "")
    e <- paste(vapply(o$filter, function(k) switch(k$op, "in" = paste(k$var, "%in%", lit(k$value)), notin = sprintf("(!(%s %%in%% %s) & !is.na(%s))", k$var, lit(k$value), k$var), isna = sprintf("is.na(%s)", k$var), notna = sprintf("!is.na(%s)", k$var), sprintf("(%s %s %s & !is.na(%s))", k$var, k$op, lit(k$value), k$var)), ""), collapse = " & ")
    eval(parse(text = paste0("subset(d, ", e, ")"))) },
  poststratify = postStratify(d, f1(o$vars), rows_df(o$totals)),
  rake = rake(d, lapply(o$margins, function(m) f1(m$vars)), lapply(o$margins, function(m) rows_df(m$totals)), control = list(maxit = o$maxit, epsilon = o$epsilon, verbose = FALSE)),
  calibrate = {
    a <- list(design = d, formula = as.formula(o$formula), population = unlist(o$totals), calfun = if (o$calfun == "sinh") cal.sinh else o$calfun, epsilon = 1e-12, maxit = 200)
    if (!is.null(o$bounds)) a$bounds <- o$bounds
    if (!is.null(o$trim)) a$trim <- o$trim
    if (!is.null(o$variance)) a$variance <- o$variance
    if (!is.null(o$aggregate_stage)) a$aggregate.stage <- o$aggregate_stage
    if (inherits(d, "svyrep.design")) a$compress <- FALSE
    do.call(calibrate, a)
  },
  trim = trimWeights(d, upper = if (is.null(o$upper)) Inf else o$upper, lower = if (is.null(o$lower)) -Inf else o$lower, strict = isTRUE(o$strict)),
  standardize = svystandardize(d, f1(o$by), f1(o$over), o$population))
model_vars <- function(d) if (inherits(d, "twophase2") || inherits(d, "twophase")) d$phase1$sample$variables[d$subset, , drop = FALSE] else d$variables
rows_df <- function(rows) { n <- names(rows[[1]]); d <- as.data.frame(lapply(n, function(k) { v <- sapply(rows, function(r) r[[k]]); if (is.character(v)) factor(v) else v })); names(d) <- n; d }
described <- function(m, df, level = 0.95, names = NULL, V = TRUE) {
  z <- confint(m, level = level); t <- confint(m, level = level, df = df)
  r <- list(estimate = many(as.numeric(coef(m))), se = many(as.numeric(unlist(SE(m)))), df = df, ci_z_low = many(z[, 1]), ci_z_high = many(z[, 2]), ci_t_low = many(t[, 1]), ci_t_high = many(t[, 2]))
  if (!is.null(names)) r$names <- many(names)
  if (V) r$vcov <- unname(as.matrix(vcov(m)))
  r
}
groups_of <- function(b, by) lapply(seq_len(nrow(b)), function(i) { g <- lapply(by, function(n) { v <- b[i, n]; if (is.factor(v)) as.character(v) else v }); names(g) <- by; g })
fam <- function(f) switch(f, gaussian = gaussian(), binomial = binomial(), quasibinomial = quasibinomial(), poisson = poisson(), quasipoisson = quasipoisson(), quasibinomial_probit = quasibinomial(link = "probit"), quasibinomial_cloglog = quasibinomial(link = "cloglog"))
tight <- glm.control(epsilon = 1e-14, maxit = 100)
fit <- function(d, call_) { fo <- as.formula(call_$formula); fa <- fam(if (is.null(call_$family)) "gaussian" else call_$family); environment(fo) <- globalenv(); DESIGN <<- d; suppressWarnings(eval(bquote(svyglm(.(fo), design = DESIGN, family = .(fa), control = tight)))) }
deff_of <- function(x) if (is.null(x)) FALSE else if (identical(x, "replace")) "replace" else TRUE
run <- function(d, c) {
  na <- isTRUE(c$na_rm); level <- if (is.null(c$level)) 0.95 else c$level
  switch(c$fn,
  mean = , total = { m <- (if (c$fn == "mean") svymean else svytotal)(f1(c$vars), d, deff = deff_of(c$deff), na.rm = na)
    r <- described(m, degf(d), level, names(coef(m))); if (!is.null(c$deff)) r$deff <- many(as.numeric(deff(m))); r },
  ratio = { m <- svyratio(f1(c$num), f1(c$den), d, na.rm = na, deff = isTRUE(c$deff)); r <- described(m, degf(d), level, V = FALSE); if (isTRUE(c$deff)) r$deff <- many(as.numeric(deff(m))); r },
  ratio_separate = { m <- svyratio(f1(c$num), f1(c$den), d, separate = TRUE); p <- predict(m, unlist(c$totals)[names(m$ratios)]); list(strata = many(names(m$ratios)), estimate = many(sapply(m$ratios, function(k) as.numeric(k$ratio))), se = many(sapply(m$ratios, function(k) as.numeric(sqrt(k$var)))), total = many(as.numeric(p$total)), total_se = many(as.numeric(p$se))) },
  var = { m <- svyvar(f1(c$vars), d, na.rm = na); list(estimate = many(diag(as.matrix(m))), se = many(if (length(c$vars) == 1) as.numeric(SE(m)) else sqrt(diag(vcov(m)))[seq(1, length(c$vars)^2, length(c$vars) + 1)])) },
  quantile = , quantile_rep = { m <- svyquantile(f1(c$vars), d, c$quantiles, interval.type = c$interval_type, qrule = c$qrule, alpha = 1 - level, na.rm = na); q <- m[[1]]
    list(quantiles = many(c$quantiles), estimate = many(q[, 1]), ci_low = many(q[, 2]), ci_high = many(q[, 3]), se = many(q[, 4])) },
  cdf = list(at = many(c$at), estimate = many(svycdf(f1(c$vars), d)[[1]](c$at))),
  ciprop = { a <- list(f1(c$vars), d, method = c$method, level = level); if (!is.null(c$df)) a$df <- if (identical(c$df, "Inf")) Inf else if (identical(c$df, "NULL")) NULL else c$df
    if (identical(c$df, "NULL")) a["df"] <- list(NULL)
    if (na) a$na.rm <- TRUE
    m <- do.call(svyciprop, a); ci <- as.numeric(attr(m, "ci")); r <- list(estimate = as.numeric(m), ci_low = ci[1], ci_high = ci[2]); if (is.null(c$df)) r$df <- degf(d); r },
  by = { b <- svyby(f1(c$vars), f1(c$by), d, if (c$inner == "mean") svymean else svytotal, na.rm = na, covmat = isTRUE(c$covmat), deff = deff_of(c$deff))
    r <- described(b, degf(d), level, names(coef(b)), V = isTRUE(c$covmat)); r$groups <- groups_of(b, c$by); if (!is.null(c$deff)) r$deff <- many(as.numeric(unlist(deff(b)))); r },
  by_ratio = { b <- svyby(f1(c$num), f1(c$by), denominator = f1(c$den), d, svyratio, na.rm = na); list(groups = groups_of(b, c$by), estimate = many(as.numeric(coef(b))), se = many(as.numeric(unlist(SE(b)))), df = degf(d)) },
  by_ciprop = { b <- svyby(f1(c$vars), f1(c$by), d, svyciprop, vartype = "ci", method = c$method, level = level); list(groups = groups_of(b, c$by), estimate = many(as.numeric(coef(b))), ci_low = many(b$ci_l), ci_high = many(b$ci_u), df = degf(d)) },
  by_quantile = { b <- svyby(f1(c$vars), f1(c$by), d, svyquantile, quantiles = c$quantiles, interval.type = c$interval_type, qrule = c$qrule, ci = TRUE, vartype = "ci", alpha = 1 - level, na.rm = na)
    list(groups = groups_of(b, c$by), estimate = many(as.numeric(b[[c$vars]])), ci_low = many(as.numeric(b$ci_l)), ci_high = many(as.numeric(b$ci_u))) },
  contrast = { m <- (if (c$inner == "mean") svymean else svytotal)(f1(c$vars), d, na.rm = na); k <- if (!is.null(c$linear)) svycontrast(m, unlist(c$linear)) else svycontrast(m, parse(text = c$expr)[[1]])
    list(estimate = many(as.numeric(coef(k))), se = many(as.numeric(SE(k)))) },
  by_contrast = { b <- svyby(f1(c$vars), f1(c$by), d, if (c$inner == "mean") svymean else svytotal, covmat = TRUE, na.rm = na); k <- if (!is.null(c$linear)) svycontrast(b, unlist(c$linear)) else svycontrast(b, parse(text = c$expr)[[1]])
    list(estimate = many(as.numeric(coef(k))), se = many(as.numeric(SE(k)))) },
  table = { t <- as.data.frame(svytable(as.formula(c$formula), d)); n <- setdiff(names(t), "Freq"); list(cells = groups_of(t, n), estimate = many(t$Freq)) },
  chisq = { r <- suppressWarnings(svychisq(as.formula(c$formula), d, statistic = c$statistic)); list(statistic = as.numeric(r$statistic), parameter = many(as.numeric(r$parameter)), p_value = as.numeric(r$p.value)) },
  ttest = { r <- svyttest(as.formula(c$formula), d); ci <- if (level == 0.95) as.numeric(r$conf.int) else as.numeric(confint(r, level = level)); list(estimate = as.numeric(r$estimate), t = as.numeric(r$statistic), df = as.numeric(r$parameter), p_value = as.numeric(r$p.value), ci_low = ci[1], ci_high = ci[2]) },
  rank = { r <- svyranktest(as.formula(c$formula), d, test = c$test); list(estimate = many(as.numeric(r$estimate)), statistic = as.numeric(r$statistic), parameter = many(as.numeric(r$parameter)), p_value = as.numeric(r$p.value)) },
  glm = { g <- fit(d, c); s <- summary(g); ci <- confint(g, level = level, ddf = g$df.residual); k <- s$coefficients; list(names = many(names(coef(g))), estimate = many(as.numeric(coef(g))), se = many(as.numeric(SE(g))), t = many(k[, 3]), p_value = many(k[, 4]), ci_low = many(ci[, 1]), ci_high = many(ci[, 2]), df = g$df.residual, vcov = unname(as.matrix(vcov(g))), dispersion = as.numeric(s$dispersion)[1]) },
  regterm = { g <- fit(d, c); r <- suppressWarnings(regTermTest(g, f1(c$terms), method = c$method)); x <- list(df = r$df, ddf = r$ddf, p_value = as.numeric(r$p)); if (c$method == "Wald") x$F <- as.numeric(r$Ftest) else { x$chisq <- as.numeric(r$chisq); x$lambda <- many(as.numeric(r$lambda)) }; x },
  predict = { g <- fit(d, c); nd <- rows_df(c$newdata); for (v in names(nd)) if (is.factor(nd[[v]])) nd[[v]] <- factor(as.character(nd[[v]]), levels = levels(factor(model_vars(d)[[v]]))); p <- predict(g, nd, type = if (is.null(c$type)) "link" else c$type, vcov = TRUE); list(estimate = many(as.numeric(p)), se = many(as.numeric(SE(p))), vcov = unname(as.matrix(vcov(p)))) },
  weights = { w <- weights(d, "sampling"); w <- w[w != 0]; list(weights = many(as.numeric(w)), sum = sum(w), sum_sq = sum(w^2), min = min(w), max = max(w)) },
  degf = list(df = degf(d)),
  kish = { w <- weights(d, "sampling"); w <- w[w > 0]; n <- length(w); list(deff_kish = n * sum(w^2) / sum(w)^2, n_eff = sum(w)^2 / sum(w^2)) },
  kappa = { k <- svykappa(as.formula(c$formula), d); list(estimate = many(as.numeric(coef(k))), se = many(as.numeric(SE(k)))) },
  cronbach = list(estimate = many(as.numeric(svycralpha(f1(c$vars), d, na.rm = na)))),
  target_test = { m <- svymean(f1(c$vars), d, na.rm = na); p <- as.numeric(coef(m)); s <- as.numeric(SE(m)); nu <- degf(d); t <- (p - c$target) / s
    pv <- switch(c$alternative, two_sided = 2 * pt(-abs(t), nu), less = pt(t, nu), greater = pt(-t, nu)); q <- qt(if (c$alternative == "two_sided") 1 - (1 - level) / 2 else level, nu)
    list(estimate = p, se = s, t = t, df = nu, p_value = pv, ci_low = if (c$alternative == "less") NULL else p - q * s, ci_high = if (c$alternative == "greater") NULL else p + q * s) })
}
out <- file(commandArgs(TRUE)[3], "w")
cat("[", file = out); first <- TRUE
last <- NULL; lastspec <- NULL
source(commandArgs(TRUE)[2])
for (i in seq_along(CASES)) {
  k <- CASES[[i]]
  r <- tryCatch(suppressWarnings({ if (!identical(lastspec, k$design)) { last <- build(k$design); lastspec <- k$design }
    s <- k$design; options(survey.lonely.psu = if (is.null(s$lonely_psu)) "fail" else s$lonely_psu, survey.adjust.domain.lonely = isTRUE(s$adjust_domain_lonely), survey.ultimate.cluster = isTRUE(s$ultimate_cluster))
    run(last, k$call) }), error = function(e) { lastspec <<- NULL; list(error = TRUE, message = gsub('["\\\\\n]', " ", conditionMessage(e))) })
  cat(if (first) "" else ",\n", js(r), file = out, sep = ""); first <- FALSE
}
cat("]", file = out); close(out)
