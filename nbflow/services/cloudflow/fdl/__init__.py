"""The flow definition language of CloudFlow, in its new and its old form."""
