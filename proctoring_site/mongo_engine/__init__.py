"""The official MongoDB backend with its defects D1 to D7 mended; `DATABASES` names this package as its ENGINE."""
