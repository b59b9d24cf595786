namespace Coherency.Daemon.Grpc;

/// <summary>How a call ended, and a text that says why.</summary>
public readonly record struct Status(StatusCode StatusCode, string Detail)
{
    public static Status DefaultSuccess => new(StatusCode.OK, "");

    public static Status DefaultCancelled => new(StatusCode.Cancelled, "");
}
