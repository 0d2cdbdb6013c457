"""What ties Python to the page: wire, shared state, widgets, worker. It knows no torch and no view."""
