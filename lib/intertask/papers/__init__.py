"""What belongs to one paper: its tables, its averages, its leaderboard; and what the papers say together."""
