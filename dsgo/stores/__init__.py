"""The stores of one home: running them, and their backup."""
