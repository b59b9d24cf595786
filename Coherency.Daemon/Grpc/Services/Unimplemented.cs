namespace Coherency.Daemon.Grpc.Services;

/// <summary>How a method answers that its service does not carry out.</summary>
internal static class Unimplemented
{
    public static RpcException Of(ServerCallContext context) =>
        new(new Status(StatusCode.Unimplemented, $"{context.Method} is not carried out by this daemon"));
}
