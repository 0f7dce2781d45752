"""Next week's power: the forecast, its band by lead time, and the record of what came."""
