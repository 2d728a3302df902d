"""Collecting: the questionnaire, the sample's cases, the web application (see README for the map)."""

__version__ = "0.1.0"
