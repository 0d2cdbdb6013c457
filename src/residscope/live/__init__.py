"""What connects Python to the page: wire, shared state, widgets, worker. It knows neither torch nor views."""
