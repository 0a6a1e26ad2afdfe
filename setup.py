"""pip packaging; under colcon, CMakeLists.txt installs the same files."""

import re
from glob import glob
from pathlib import Path

from setuptools import find_packages, setup

VERSION = re.search(r'__version__ = "(.+)"', Path("mm_edge/__init__.py").read_text()).group(1)

setup(
    name="mm_edge",
    version=VERSION,
    description="Timely, trustworthy speech from a vehicle's or robot's sensors, as ROS 2 nodes",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["mm_edge", "mm_edge.*"]),
    package_data={"mm_edge": ["weights/*", "report/*.j2", "world/*.json"]},
    data_files=[(f"share/mm_edge/{f}", glob(f"{f}/*.*")) for f in ("msg", "config", "config/training", "launch")]
    + [("share/mm_edge", ["package.xml"]), ("share/ament_index/resource_index/packages", ["resource/mm_edge"])],
    install_requires=[
        "jinja2",
        "matplotlib",
        "mcap",  # recordings that the regular reader refuses
        "numpy",
        "onnxruntime",
        "opencv-python-headless",  # the other one needs libGL, which a fresh machine lacks
        "psutil",
        "pydantic>=2",
        "pyyaml",
        "rich",
        "rosbags>=0.10",
        "safetensors",
        "torch>=2.1",
        "typer>=0.9",
    ],
    extras_require={
        "barge-in": ["silero-vad"],  # only its ONNX file is used
        "dds": ["cyclonedds>=11; platform_machine == 'x86_64'"],
        "calibration": ["mapie>=1.5"],
        "export": ["onnx", "onnxscript"],
        "huggingface": ["transformers>=5"],
        "nvidia": ["nvidia-ml-py"],  # the monitor looks at the GPU
        "speech": ["espeakng-loader"],  # GPL-3.0-or-later
        "test": [
            "cachetools<6",  # of kvpress, which is installed without the rest of what it names
            "fire<0.7",
            "hypothesis",
            "mapie>=1.5",
            "mypy",
            "pytest",
            "pytest-timeout",
            "requests",
            "ruff",
            "silero-vad",
            "tensorrt-rtx; platform_machine == 'x86_64' and sys_platform == 'linux'",  # compiles without a GPU
            "transformers>=5,<5.3",  # as kvpress needs it
        ],
    },
    entry_points={"console_scripts": ["mm-edge = mm_edge.cli:main"]},
)
