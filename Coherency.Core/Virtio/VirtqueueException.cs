namespace Coherency.Core.Virtio;

/// <summary>
/// The driver broke the rules of its ring in a way that leaves nothing to trust: the queue stops until the device is reset.
/// </summary>
public sealed class VirtqueueException(string message) : Exception(message);
