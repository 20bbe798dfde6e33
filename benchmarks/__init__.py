"""How fast zeta is, as ratios to what torch and other libraries take for the same rows."""
