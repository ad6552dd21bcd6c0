"""The way of a call: what every request passes on its way in and out, and what makes that way short."""
