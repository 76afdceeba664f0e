"""Other libraries' ways of writing workflows, run by nbflow."""
