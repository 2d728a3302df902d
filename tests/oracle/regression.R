# Makes regression.json with R survey:  Rscript regression.R DATA_DIR regression.json
suppressMessages({library(survey)}); options(survey.lonely.psu="fail")
arguments <- commandArgs(TRUE); D <- paste0(arguments[1], "/")
rd <- function(f){p<-paste0(D,f); if(!file.exists(p)) p<-paste0(p,".gz"); read.csv(p, stringsAsFactors=TRUE)}
js <- function(x) if(is.null(x)) "null" else if (is.list(x)) { if(is.null(names(x))) paste0("[",paste(sapply(x,js),collapse=","),"]") else paste0("{",paste(mapply(function(n,v) paste0('"',n,'":',js(v)),names(x),x),collapse=","),"}") } else if (is.matrix(x)) paste0("[",paste(apply(x,1,function(r) js(as.numeric(r))),collapse=","),"]") else if (is.character(x)) { if(length(x)==1 && is.null(attr(x,"arr"))) paste0('"',x,'"') else paste0("[",paste0('"',x,'"',collapse=","),"]") } else if (is.logical(x)) tolower(as.character(x)) else if(length(x)==1 && is.null(attr(x,"arr"))) (if(is.finite(x)) format(x,digits=17) else "null") else paste0("[",paste(ifelse(is.finite(x),format(as.numeric(x),digits=17,trim=TRUE),"null"),collapse=","),"]")
arr<-function(x){attr(x,"arr")<-1;x}
cases<-list()
add<-function(id,design,call,result) cases[[length(cases)+1]] <<- list(id=id,tier=1,source="R",design=design,call=call,rtol=1e-7,atol=1e-9,rtol_fields=list(p_value=2e-5,lambda=1e-6),result=result)
sa<-rd("synth_a.csv"); a2<-rd("apiclus2.csv"); a1<-rd("apiclus1.csv"); as<-rd("apistrat.csv"); nh<-rd("nhanes.csv")
ds<-list(
 syna=list(spec=list(dataset="synth_a.csv",kind="taylor",ids=arr("psu"),strata=arr("stratum"),weights="w",nest=TRUE,lonely_psu="fail"),d=svydesign(~psu,strata=~stratum,weights=~w,nest=TRUE,data=sa)),
 clus2=list(spec=list(dataset="apiclus2.csv",kind="taylor",ids=c("dnum","snum"),weights="pw",fpc=c("fpc1","fpc2"),nest=FALSE,lonely_psu="fail"),d=svydesign(~dnum+snum,fpc=~fpc1+fpc2,weights=~pw,data=a2)),
 strat=list(spec=list(dataset="apistrat.csv",kind="taylor",strata=arr("stype"),weights="pw",fpc=arr("fpc"),nest=FALSE,lonely_psu="fail"),d=svydesign(~1,strata=~stype,fpc=~fpc,weights=~pw,data=as)))
fam<-function(f) switch(f,gaussian=gaussian(),quasibinomial=quasibinomial(),quasipoisson=quasipoisson(),quasibinomial_probit=quasibinomial(link="probit"),quasibinomial_cloglog=quasibinomial(link="cloglog"))
glmcase<-function(k,f,family,d=ds[[k]]$d,spec=ds[[k]]$spec,tag=""){
 g<-tryCatch(suppressWarnings(svyglm(as.formula(f),design=d,family=fam(family),control=glm.control(epsilon=1e-14,maxit=100))),error=function(e){cat("ERR",f,conditionMessage(e),"\n");NULL}); if(is.null(g)) return()
 s<-summary(g); ci<-confint(g,ddf=g$df.residual)
 add(paste("glm",k,f,family,tag),spec,list(fn="glm",formula=f,family=family),list(names=arr(names(coef(g))),estimate=arr(coef(g)),se=arr(SE(g)),df=g$df.residual,vcov=unname(as.matrix(vcov(g))),dispersion=as.numeric(s$dispersion)[1], ci_low=arr(ci[,1])))
 tt<-attr(terms(g),"term.labels")
 for(t in tt){ for(m in c("Wald","WorkingWald","LRT")){ if(m=="LRT" && grepl("[*:]",f)) next
   r<-tryCatch(suppressWarnings(regTermTest(g,t,method=m)),error=function(e)NULL); if(is.null(r)) next
   res<-list(df=r$df,ddf=r$ddf,p_value=as.numeric(r$p)); if(m=="Wald") res$F<-as.numeric(r$Ftest) else {res$chisq<-as.numeric(r$chisq); res$lambda<-arr(as.numeric(r$lambda))}
   add(paste("regterm",k,f,t,m,tag),spec,list(fn="regterm",formula=f,family=family,terms=arr(t),method=m),res)}}
}
glmcase("syna","income ~ age*sex","gaussian")
glmcase("syna","x ~ educ*sex","quasibinomial")
glmcase("syna","x ~ sex + educ:sex + region","quasibinomial")
glmcase("syna","x ~ sex - 1","quasibinomial_cloglog")
glmcase("syna","x ~ educ + sex - 1","quasibinomial_probit")
glmcase("syna","visits ~ age + factor(stratum)","quasipoisson")
glmcase("clus2","api00 ~ stype + ell","gaussian")
glmcase("clus2","api00 ~ stype*sch_wide","gaussian")
glmcase("strat","enroll ~ stype + awards","quasipoisson")
sub<-subset(ds$syna$d, age>40); ssub<-ds$syna$spec; ssub$ops<-list(list(op="subset",filter=list(list(var="age",op=">",value=40))))
glmcase("syna","x_na ~ sex + region","quasibinomial",sub,ssub,"sub")
glmcase("syna","income ~ sex + educ + age","gaussian",sub,ssub,"sub")
chi<-function(k,f,d,spec,tag=""){ for(st in c("F","Chisq","Wald","adjWald","saddlepoint")){ r<-tryCatch(suppressWarnings(svychisq(as.formula(f),d,statistic=st)),error=function(e){cat("ERR",conditionMessage(e),"\n");NULL}); if(is.null(r)) next
 add(paste("chisq",k,f,st,tag),spec,list(fn="chisq",formula=f,statistic=st),list(statistic=as.numeric(r$statistic),parameter=arr(as.numeric(r$parameter)),p_value=as.numeric(r$p.value)))}}
chi("syna","~region+educ",ds$syna$d,ds$syna$spec); chi("syna","~region+educ",sub,ssub,"sub"); chi("syna","~x_na+educ",ds$syna$d,ds$syna$spec,"na"); chi("syna","~x_na+educ",sub,ssub,"subna")
chi("clus2","~stype+awards",ds$clus2$d,ds$clus2$spec); chi("strat","~comp_imp+awards",ds$strat$d,ds$strat$spec)
tt<-function(k,f,d,spec,tag=""){r<-svyttest(as.formula(f),d); ci<-as.numeric(r$conf.int); add(paste("ttest",k,f,tag),spec,list(fn="ttest",formula=f),list(estimate=as.numeric(r$estimate),t=as.numeric(r$statistic),df=as.numeric(r$parameter),p_value=as.numeric(r$p.value),ci_low=ci[1],ci_high=ci[2]))}
tt("syna","income~sex",ds$syna$d,ds$syna$spec); tt("syna","income~sex",sub,ssub,"sub"); tt("syna","income~x",ds$syna$d,ds$syna$spec);tt("syna","x_na~sex",ds$syna$d,ds$syna$spec);tt("syna","income~0",sub,ssub,"sub"); tt("clus2","api00~awards",ds$clus2$d,ds$clus2$spec)
rk<-function(k,f,d,spec,tag=""){for(t in c("wilcoxon","vanderWaerden","median","KruskalWallis")){r<-tryCatch(svyranktest(as.formula(f),d,test=t),error=function(e){cat("ERR",f,conditionMessage(e),"\n");NULL}); if(is.null(r)) next; add(paste("rank",k,f,t,tag),spec,list(fn="rank",formula=f,test=t),list(estimate=arr(as.numeric(r$estimate)),statistic=as.numeric(r$statistic),parameter=arr(as.numeric(r$parameter)),p_value=as.numeric(r$p.value)))}}
rk("syna","income~sex",ds$syna$d,ds$syna$spec); rk("syna","income~educ",ds$syna$d,ds$syna$spec); rk("syna","visits~region",sub,ssub,"sub"); rk("clus2","api00~awards",ds$clus2$d,ds$clus2$spec); rk("clus2","enroll~stype",ds$clus2$d,ds$clus2$spec)
g<-svyglm(x~age+sex,ds$syna$d,family=quasibinomial()); nd<-data.frame(age=c(20,60),sex=c("F","M"))
for(ty in c("link","response")){p<-predict(g,nd,type=ty,vcov=TRUE); add(paste("predict",ty),ds$syna$spec,list(fn="predict",formula="x ~ age + sex",family="quasibinomial",type=ty,newdata=list(list(age=20,sex="F"),list(age=60,sex="M"))),list(estimate=arr(as.numeric(p)),se=arr(as.numeric(SE(p)))))}
# calibrated design
cal<-calibrate(ds$syna$d,~sex,c(`(Intercept)`=95000,sexM=47000)); sc<-ds$syna$spec; sc$ops<-list(list(op="calibrate",formula="~ sex",totals=list("(Intercept)"=95000,sexM=47000),calfun="linear"))
glmcase("syna","x ~ age + sex","quasibinomial",cal,sc,"cal"); chi("syna","~region+educ",cal,sc,"cal"); rk("syna","income~sex",cal,sc,"cal"); tt("syna","income~sex",cal,sc,"cal")
cat(js(list(meta=list(schema=1),cases=cases)),file=arguments[2])
