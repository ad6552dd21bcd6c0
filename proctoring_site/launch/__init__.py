"""`make run`: from a bare clone to a running service, with a MongoDB and something to look at; and back."""
