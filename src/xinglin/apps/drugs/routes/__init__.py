"""Ways to make a molecule: templates, their ranking, and the search for a route to what can be bought."""
