namespace Coherency.Guest.VirtualMachines;

/// <summary>A guest did not do what was needed; the message ends with what its console and processes said.</summary>
public sealed class VirtualMachineException(string message) : IOException(message);
