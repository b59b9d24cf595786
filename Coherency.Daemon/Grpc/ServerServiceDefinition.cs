using Coherency.Daemon.Grpc.Server;
using Google.Protobuf;

namespace Coherency.Daemon.Grpc;

/// <summary>The methods of a service, bound to what carries them out.</summary>
public sealed class ServerServiceDefinition
{
    private ServerServiceDefinition(IReadOnlyList<MethodHandler> handlers) => Handlers = handlers;

    internal IReadOnlyList<MethodHandler> Handlers { get; }

    public static Builder CreateBuilder() => new();

    /// <summary>Collects methods.</summary>
    public sealed class Builder
    {
        private readonly List<MethodHandler> _handlers = [];

        public Builder AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse> handler)
            where TRequest : class, IMessage<TRequest>
            where TResponse : class, IMessage<TResponse> => Add(new UnaryHandler<TRequest, TResponse>(method, handler));

        public Builder AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse> handler)
            where TRequest : class, IMessage<TRequest>
            where TResponse : class, IMessage<TResponse> => Add(new ServerStreamingHandler<TRequest, TResponse>(method, handler));

        public Builder AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse> handler)
            where TRequest : class, IMessage<TRequest>
            where TResponse : class, IMessage<TResponse> => Add(new DuplexStreamingHandler<TRequest, TResponse>(method, handler));

        public ServerServiceDefinition Build() => new([.. _handlers]);

        private Builder Add(MethodHandler handler)
        {
            _handlers.Add(handler);
            return this;
        }
    }
}
