"""All nodes of mm_edge: assistant, speaker, monitor, and on demand the diagnostics aggregator."""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

NODES = ("assistant", "speaker", "monitor")
ARGUMENTS = {
    "namespace": ("", "Namespace of all nodes."),
    "use_sim_time": ("false", "Whether time comes from /clock, as when a bag is played with --clock."),
    "autostart": ("true", "Whether the nodes configure and activate themselves."),
    "params_file": ("", "A YAML file of parameters that win over the shipped ones."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
    "respawn": ("true", "Whether a node that dies is started again, after two seconds."),
    "speak": ("true", "Whether the speaker runs."),
    "aggregate": ("false", "Whether a diagnostic_aggregator publishes /diagnostics_agg."),
}


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    return [*(_node(name, context) for name in NODES), _aggregator()]


def _node(name: str, context: LaunchContext) -> LifecycleNode:
    params_file = LaunchConfiguration("params_file").perform(context)
    switches = {
        switch: ParameterValue(LaunchConfiguration(switch), value_type=bool) for switch in ("use_sim_time", "autostart")
    }
    parameters = [_config(f"{name}.yaml"), *([params_file] if params_file else []), switches]
    return LifecycleNode(
        package="mm_edge",
        executable=name,
        name=name,
        namespace=LaunchConfiguration("namespace"),
        parameters=parameters,
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
        respawn=LaunchConfiguration("respawn").perform(context).lower() == "true",
        respawn_delay=2.0,
        emulate_tty=True,
        condition=IfCondition(LaunchConfiguration("speak")) if name == "speaker" else None,
    )


def _aggregator() -> Node:
    return Node(
        package="diagnostic_aggregator",
        executable="aggregator_node",
        name="diagnostic_aggregator",
        parameters=[_config("diagnostics.yaml")],
        condition=IfCondition(LaunchConfiguration("aggregate")),
    )


def _config(name: str) -> PathJoinSubstitution:
    return PathJoinSubstitution([FindPackageShare("mm_edge"), "config", name])
