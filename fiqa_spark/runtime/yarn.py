"""What YARN is told in cluster mode of a fault that the user can mend: the message, and not to try again."""

import contextlib

from py4j.java_gateway import JVMView
from py4j.protocol import Py4JJavaError


def is_application_master(jvm: JVMView) -> bool:
    """Whether a Java process is the master of a YARN application, which the driver is part of in cluster mode."""
    properties = jvm.System.getProperties()
    in_cluster_mode = properties.getProperty("spark.submit.deployMode") == "cluster"
    return in_cluster_mode and properties.getProperty("spark.yarn.app.id") is not None


def end_application(jvm: JVMView, message: str) -> None:
    """End this application as failed with a message as its diagnostics; it is not tried again.

    Spark would end it with no more than the exit code, and YARN would try again where more attempts are allowed.

    Parameters
    ----------
    jvm : JVMView
        Of the application master.
    message : str
        One line.
    """
    yarn = jvm.org.apache.hadoop.yarn
    requests = yarn.api.protocolrecords
    protocol = jvm.java.lang.Class.forName("org.apache.hadoop.yarn.api.ApplicationMasterProtocol")
    resource_manager = yarn.client.ClientRMProxy.createRMProxy(yarn.conf.YarnConfiguration(), protocol)
    # Spark has registered the application already where it came to open its session.
    with contextlib.suppress(Py4JJavaError):
        resource_manager.registerApplicationMaster(requests.RegisterApplicationMasterRequest.newInstance("", -1, ""))
    failed = yarn.api.records.FinalApplicationStatus.FAILED
    resource_manager.finishApplicationMaster(requests.FinishApplicationMasterRequest.newInstance(failed, message, ""))
