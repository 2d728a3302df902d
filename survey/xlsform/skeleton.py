"""survey.yaml and analysis.yaml for a folder that has only a questionnaire yet.

They can be read, and every place where the organiser has to decide holds [...] or an empty list, so that `survey check`
says what is still to be done.
"""

from __future__ import annotations

import json

from survey.questionnaire.model import Questionnaire

_SURVEY = """\
# Ai được hỏi, vì sao và đến khi nào: xin điền mọi chỗ [...] · Who is asked, why, and until when: fill in every [...]
id: {id}
title: {title}
organiser: {blank}
languages: {languages}
helpline: {blank}

territory:
  name: {blank}
  country: VN
  province: "00"
  as_of: "{day}"
  areas: areas.csv # code, name, kind, urban_rural, valid_from, valid_to

frame: {{}}

sampling:
  strata: [urban_rural]
  psus: 100
  take: 15

modes: [self, visit]

dates:
  reference: "{day}"
  web_opens: "{day}"
  visits_open: "{day}"
  closes: "{day}"

legal:
  basis: consent
  decision: {blank}
  citations: []
  controller: {blank}
  contact: {blank}
  purposes:
    - {{id: statistics, text: {blank}}}
  minimum_age: 16
  obligatory: false

retention:
  identities_months: 3
  answers_months: 60
"""

_ANALYSIS = """\
# Ước lượng những gì, so với mục tiêu nào: khai báo trước khi khảo sát
# What is estimated, against which target: declared before field work
id: {id}

weighting:
  - {{step: base}}
  - {{step: unknown_eligibility, by: [stratum, mode]}}
  - {{step: nonresponse, by: [stratum, mode]}}

indicators: []
targets: []
domains: []
"""


def skeleton(questionnaire: Questionnaire, day: str) -> dict[str, str]:
    """File name → text; `day` (YYYY-MM-DD) stands for every date until the organiser sets them."""
    said = {
        "id": questionnaire.id,
        "title": json.dumps(questionnaire.title, ensure_ascii=False),
        "languages": json.dumps(list(questionnaire.languages)),
        "blank": json.dumps(dict.fromkeys(questionnaire.languages, "[...]")),
        "day": day,
    }
    return {"survey.yaml": _SURVEY.format(**said), "analysis.yaml": _ANALYSIS.format(**said)}
