"""CS231n's package for assignment 2: its fully connected and convolutional nets."""
