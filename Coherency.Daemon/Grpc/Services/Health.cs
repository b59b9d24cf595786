using Grpc.Health.V1;

namespace Coherency.Daemon.Grpc.Services;

/// <summary>The standard health service.</summary>
public static class Health
{
    public const string ServiceName = "grpc.health.v1.Health";

    public static ServerServiceDefinition BindService(HealthBase service) => ServerServiceDefinition.CreateBuilder()
        .AddMethod(new Method<HealthCheckRequest, HealthCheckResponse>(
            MethodType.Unary, ServiceName, "Check", HealthCheckRequest.Parser, HealthCheckResponse.Parser), service.Check)
        .AddMethod(new Method<HealthCheckRequest, HealthCheckResponse>(
            MethodType.ServerStreaming, ServiceName, "Watch", HealthCheckRequest.Parser, HealthCheckResponse.Parser), service.Watch)
        .Build();

    public abstract class HealthBase
    {
        public virtual Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task Watch(
            HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context) =>
            throw Unimplemented.Of(context);
    }
}
