"""Scenario model and its loading from YAML or JSON. Pure: text in, validated values out."""
