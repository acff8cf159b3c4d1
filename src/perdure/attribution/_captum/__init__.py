"""The adapter that methods use to call Captum."""
