"""survey.yaml and analysis.yaml of a folder that has only a questionnaire yet: what `survey check` then asks for."""

from __future__ import annotations

import datetime

from survey import documents
from survey.fieldwork import plan
from survey.questionnaire.model import Questionnaire


def skeleton(questionnaire: Questionnaire) -> dict[str, str]:
    """File name → text, with [...] wherever the organiser has to decide."""
    return {}
