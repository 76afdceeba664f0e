"""Pictures of a run: text, SVG, matplotlib and live panels, all drawn from folds of its log."""
