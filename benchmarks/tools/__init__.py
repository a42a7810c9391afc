"""What is measured for the library's own sake: its kernels, their instructions and registers, the planner's rates."""
