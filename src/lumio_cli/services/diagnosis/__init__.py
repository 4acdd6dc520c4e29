"""The checks of `lumio diagnostic`, by what they look at; `services.diagnose` runs them."""
