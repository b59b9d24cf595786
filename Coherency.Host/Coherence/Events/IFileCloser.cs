namespace Coherency.Host.Coherence.Events;

/// <summary>A client whose closes of files nobody is told.</summary>
internal interface IFileCloser
{
    /// <summary>Tells that a file was closed, unless the client says that it has it open; then false.</summary>
    bool TryTellClosed(ulong node);
}
