"""Recordings: read mcap and db3 bags, map their topics to the assistant's, write mcap that rosbag2 and Foxglove open.

Imports nothing of mm_edge but `share`; knows nothing about ROS, the assistant or what the messages mean.
"""
