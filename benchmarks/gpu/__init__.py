"""`make gpu-check`: what must hold on a GPU, measured on this machine's GPU."""
