"""XLSForm in and out: forms of ODK and KoboToolbox become survey folders, and our questionnaires become such forms."""
