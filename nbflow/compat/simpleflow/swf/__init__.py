"""What programs import from the part for SWF."""
