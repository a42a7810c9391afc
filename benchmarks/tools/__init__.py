"""What is measured for the library's own sake: kernels between commits, instructions, registers, the planner's rates."""
