using Grpc.Reflection.V1;

namespace Coherency.Daemon.Grpc.Services;

/// <summary>The standard reflection service.</summary>
public static class ServerReflection
{
    public const string ServiceName = "grpc.reflection.v1.ServerReflection";

    /// <summary>Many tools know only this name, of the same messages.</summary>
    public const string OlderServiceName = "grpc.reflection.v1alpha.ServerReflection";

    /// <param name="serviceName">One of the two.</param>
    public static ServerServiceDefinition BindService(ServerReflectionBase service, string serviceName = ServiceName) =>
        ServerServiceDefinition.CreateBuilder()
            .AddMethod(
                new Method<ServerReflectionRequest, ServerReflectionResponse>(
                    MethodType.DuplexStreaming,
                    serviceName,
                    "ServerReflectionInfo",
                    ServerReflectionRequest.Parser,
                    ServerReflectionResponse.Parser),
                service.ServerReflectionInfo)
            .Build();

    public abstract class ServerReflectionBase
    {
        public virtual Task ServerReflectionInfo(
            IAsyncStreamReader<ServerReflectionRequest> requestStream,
            IServerStreamWriter<ServerReflectionResponse> responseStream,
            ServerCallContext context) => throw Unimplemented.Of(context);
    }
}
