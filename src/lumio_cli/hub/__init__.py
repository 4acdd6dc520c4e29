"""lumio.db: what operators came for. It knows neither providers nor transport."""
