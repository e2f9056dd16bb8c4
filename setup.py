"""Packaging of Nightcrawler (import name `slowfast`)."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="nightcrawler-video",
    version="0.1.0",
    description="Human action recognition in unlabelled dark video: BN adaptation, pseudo-labels, rule-based votes",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["slowfast", "slowfast.*"]),
    package_data={"slowfast": ["**/*.yaml", "**/*.json", "**/*.safetensors", "**/*.html", "**/*.css", "**/*.js"]},
    install_requires=[
        "torch>=2.4",
        "torchvision>=0.19",
        "numpy>=1.26",
        "pillow>=10.1",
        "fvcore==0.1.5.post20221221",
        "iopath>=0.1.9,<0.2",
        "simplejson",
        "av>=17.1,<20",
        "decord==0.6.0; platform_system == 'Linux' and platform_machine == 'x86_64'",
        "timm>=1.0.3",
        "pyyaml>=6",
        "jinja2>=3.1",
        "tensorboard>=2.14",
        "safetensors>=0.4.1",
    ],
    extras_require={
        "dev": [
            "pytest>=8",
            "hypothesis>=6.100",
            "ruff>=0.6",
            "transformers>=4.40",
            "peft>=0.13",
            "onnx>=1.16",
            "onnxruntime>=1.18",
            "onnxscript",
        ],
        "huggingface": ["transformers>=5"],
        "browser": ["playwright>=1.40"],
        "lora": ["peft>=0.13"],
        "workflow": ["snakemake>=8"],
        "cluster": ["snakemake>=8", "snakemake-executor-plugin-slurm>=1"],
        "torchcodec": ["torchcodec>=0.1"],
    },
)
