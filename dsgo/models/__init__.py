"""What a model is: fitted, logged, loaded, judged, registered."""
