"""The checks of `lumio diagnostic`, by what they look at. `services.diagnose` puts them in order."""
