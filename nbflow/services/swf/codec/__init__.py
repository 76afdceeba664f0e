"""Between SWF's histories and decisions, and the events and commands of nbflow. Pure."""
