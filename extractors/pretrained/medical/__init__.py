"""Medical models by short names, and what weights were pretrained on: data, in `models.toml`."""
