# Two commands do all that is needed on a fresh machine: make demo, make test.
.DEFAULT_GOAL := help
.PHONY: help setup demo docs test test-lowest test-yarn maven environment package bench lint clean

PYTHON ?= python3
VENV := .venv
LOWEST := .venv-lowest
# The oldest Python that the package runs on, from PATH or from pyenv.
PYTHON310 ?= $(firstword $(foreach python,python3.10 $(wildcard $(HOME)/.pyenv/versions/3.10.*/bin/python),$(shell $(python) -c 'print("$(python)")' 2> /dev/null)))
JAVA_HOME_FILE := $(VENV)/java-home
JAVA_CLASSES := $(VENV)/java-classes.jsa
USE_JAVA = JAVA_HOME="$$(cat $(JAVA_HOME_FILE))"
SOURCES := setup.py fiqa_spark/version.py Makefile
MODULES := $(shell find fiqa_spark -name '*.py' -o -name '*.html' -o -name py.typed)
HADOOP := build/hadoop
# Python compiles what it imports; compiling all that is installed takes longer than a run.
INSTALL := install --quiet --disable-pip-version-check --no-compile
QUICK_JAVA := -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m
MAVEN ?= mvn

# File names that are not ASCII need a locale that has them.
export LC_ALL := C.UTF-8
# What the shell has set for another Spark does not apply to this one.
unexport SPARK_HOME SPARK_CONF_DIR PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON PYTHONPATH
# Some images of Python set it, and every process would compile pandas anew: a second of a core each.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed $(JAVA_HOME_FILE) $(JAVA_CLASSES) ## build .venv with the package, and find or install Java

# The run that leaves the archive of classes is the same, and shown instead where it was part of this very make, with the
# settings that the next one has.
demo: setup ## label a small data set with planted quality and show what came out
	@$(if $(HAS_RUN_DEMO),sed 's|$(JAVA_CLASSES).conf|conf/local.conf|' $(JAVA_CLASSES).log,$(USE_JAVA) $(VENV)/bin/python tests/demo.py)

# Tests run side by side, one a core; threads of BLAS beyond that wait for one another, and each keeps a core busy.
test test-lowest test-yarn: export OPENBLAS_NUM_THREADS := 1

test: setup $(VENV)/.tools-installed ## run the tests on the newest Spark
	$(USE_JAVA) $(VENV)/bin/python -m pytest

test-lowest: setup $(LOWEST)/.tests-installed ## run every job, and what depends on the versions, on the lowest ones: Python 3.10, Spark 3.5
	$(USE_JAVA) $(LOWEST)/bin/python -m pytest -m lowest_versions

test-yarn: maven setup $(VENV)/.tools-installed package $(HADOOP)/.installed ## run the tests on a real Hadoop of one machine, YARN and HDFS
	$(USE_JAVA) $(VENV)/bin/python -m pytest --numprocesses=0 tests/yarn

package: dist/fiqa_spark.zip dist/environment.tar.gz ## build dist/: the wheel, and what spark-submit sends to a cluster

bench: setup $(VENV)/.bench-installed ## measure the jobs against the arithmetic limit; takes about 40 minutes and 60 GB
	$(USE_JAVA) OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python -m tests.benchmarks.run

lint: $(VENV)/.tools-installed ## check style, imports and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

docs: setup ## write docs/options.md anew from the settings
	$(VENV)/bin/python -m tests.options_page

clean: ## remove what the other targets made
	rm -rf $(VENV) $(LOWEST) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis spark-warehouse

environment: $(VENV)/.tools-installed

maven:
	@command -v $(MAVEN) > /dev/null || { echo "test-yarn: error: $(MAVEN): no such program; Maven brings the Hadoop that these tests run on: install it, for example: sudo apt-get install maven" >&2; exit 2; }

%/bin/python:
	@$(PYTHON) -m venv $* || { $(PYTHON) -m fiqa_spark.runtime.machine venv && $(PYTHON) -m venv --clear $*; }

$(JAVA_HOME_FILE): $(VENV)/bin/python
	@home=$$($(PYTHON) -m fiqa_spark.runtime.machine java) && echo "$$home" > $@

$(VENV)/.installed: $(VENV)/bin/python $(SOURCES)
	@$(VENV)/bin/python -m pip $(INSTALL) --editable '.[recognizability,report,package]'
# Every process of a run imports PySpark from this file, and would compile it anew.
	@for modules in $(VENV)/lib/python*/site-packages/pyspark/python/lib/pyspark.zip; do \
		$(VENV)/bin/python -W ignore -m fiqa_spark.runtime.compiled_zip "$$modules" || exit 1; \
	done
	@touch $@

# The classes that a job loads, as conf/local.conf wants them: loaded from here, they spare a run its first two seconds.
# A run that does so much beside its work is better off without Java's second compiler.
$(JAVA_CLASSES): $(VENV)/.installed $(JAVA_HOME_FILE)
	@sed 's|-XX:SharedArchiveFile=[^ ]*|-XX:ArchiveClassesAtExit=$@ $(QUICK_JAVA)|' conf/local.conf > $@.conf
	@$(USE_JAVA) $(VENV)/bin/python tests/demo.py $@.conf > $@.log 2>&1 || { cat $@.log; exit 1; }
	$(eval HAS_RUN_DEMO := yes)

$(VENV)/.tools-installed: $(VENV)/.installed
	@$(VENV)/bin/python -m pip $(INSTALL) --editable '.[test,lint]'
	@$(PYTHON) -m fiqa_spark.runtime.machine chromium
	@touch $@

$(VENV)/.bench-installed: $(VENV)/.installed
	@$(VENV)/bin/python -m pip $(INSTALL) --editable '.[bench]'
	@touch $@

dist/fiqa_spark.zip: $(MODULES) $(VENV)/.installed
	@rm -rf build/lib build/bdist.* dist/*.whl && mkdir -p dist
	@$(VENV)/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@$(VENV)/bin/python -m fiqa_spark.runtime.compiled_zip --package $@

# What the package needs on a node, in the versions that it is tested with; Spark brings PySpark itself. Every file costs
# the nodes time when they unpack it, so that what nobody imports stays out. What stays is compiled here, once.
dist/environment.tar.gz: $(VENV)/.installed
	@mkdir -p dist && $(PYTHON) -m venv --clear --without-pip build/environment
	@$(VENV)/bin/python -m pip --python build/environment $(INSTALL) $$($(VENV)/bin/python -c \
		'from importlib.metadata import version; print(*(f"{name}=={version(name)}" for name in ("numpy", "pandas", "pyarrow", "scipy", "matplotlib", "Jinja2", "Pillow")))')
	@build/environment/bin/python -m compileall -q -x '/tests/' build/environment/lib
	@$(VENV)/bin/venv-pack --quiet --force --prefix build/environment --output $@ --exclude '*/tests/*' --exclude '*/include/*' \
		--exclude '*/mpl-data/sample_data/*' --exclude '*/mpl-data/images/*' --exclude '*/fonts/afm/*' --exclude '*/fonts/pdfcorefonts/*'
	@chmod 644 $@

$(HADOOP)/.installed: tests/yarn/pom.xml $(VENV)/.installed $(JAVA_HOME_FILE)
	@rm -rf $(HADOOP)
	@version=$$(ls $(VENV)/lib/python*/site-packages/pyspark/jars | sed -n 's/^hadoop-client-api-\(.*\)\.jar$$/\1/p') && \
		$(USE_JAVA) $(MAVEN) -q -B -f $< dependency:copy-dependencies -Dhadoop.version=$$version -DoutputDirectory=$(CURDIR)/$(HADOOP)
	@touch $@

$(LOWEST)/bin/python:
	@test -n '$(PYTHON310)' || { echo "test-lowest: error: no Python 3.10, the oldest that the package runs on: install it, for example: pyenv install 3.10, or name it: make test-lowest PYTHON310=/path/to/python3.10" >&2; exit 2; }
	@$(PYTHON310) -m venv --clear --without-pip $(LOWEST)

$(LOWEST)/.tests-installed: $(LOWEST)/bin/python $(VENV)/.installed tests/lowest_versions.py
	@$(VENV)/bin/python tests/lowest_versions.py > $(LOWEST)/constraints.txt
	@$(VENV)/bin/python -m pip --python $(LOWEST) $(INSTALL) --use-pep517 --constraint $(LOWEST)/constraints.txt --editable '.[recognizability,report,test]'
	@touch $@

.PRECIOUS: %/bin/python
