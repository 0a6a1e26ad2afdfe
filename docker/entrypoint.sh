#!/usr/bin/env bash
# Makes ROS and this package known to what is run in the container.
# shellcheck disable=SC1090,SC1091
set -e
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /opt/mm_edge/setup.bash
exec "$@"
