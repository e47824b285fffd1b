"""What a training looks like in TensorBoard: event files, written as it goes."""
