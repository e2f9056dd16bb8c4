"""Lists of videos: one reader for every room, the endings of video files, names of videos."""
