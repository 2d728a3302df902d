"""What a release is made of, from the frozen sample on; `survey.publish` puts it together. No database, no web.

weighting, measuring, replication   from frozen tables to weighted designs and arrays
figures, trends, modelled           every estimate, verdict and change, with what the rules say of it
results                             the frozen value that all of that becomes: what is not in it, no file can tell
voice, views, maps                  that value in one language: sentences, charts, tables, maps
site, report, terminal              for people who look
workbook, exchange, ddi, coded, microdata, publicuse   for people who take away
sealing                             so that anybody can check what they took
"""
