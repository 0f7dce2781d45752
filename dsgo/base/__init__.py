"""What every floor uses; its files import none of each other."""
